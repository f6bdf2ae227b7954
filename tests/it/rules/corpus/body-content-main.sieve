# mail: multi plain
require "body";
if body :content "text" :contains "schöne" { discard; }

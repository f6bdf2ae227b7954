# mail: plain list
require "body";
if body :contains "SECOND line" { discard; }

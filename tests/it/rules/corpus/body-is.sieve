# mail: plain list
require "body";
if body :raw :is "x" { discard; }

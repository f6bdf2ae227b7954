# mail: plain list
require "environment";
if environment :contains "location" "M" { discard; }

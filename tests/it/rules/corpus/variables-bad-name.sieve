# mail: plain list
require "variables";
set "1a" "x";

# mail: plain list
require "editheader";
addheader "X New" "value";

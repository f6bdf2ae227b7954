# mail: plain list
require "include";
return;
discard;

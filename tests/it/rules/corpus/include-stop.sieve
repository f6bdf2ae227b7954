# mail: plain list
require "include";
include "stops";
discard;

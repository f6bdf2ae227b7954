# mail: plain list
require "include";
include "discards";

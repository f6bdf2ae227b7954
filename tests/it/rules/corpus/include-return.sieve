# mail: plain list
require "include";
include "returns";
redirect "after@example.com";

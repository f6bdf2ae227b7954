# mail: plain list
require "include";
include "redirects";
include "redirects";

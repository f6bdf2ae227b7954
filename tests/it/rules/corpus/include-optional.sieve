# mail: plain list
require "include";
include :optional "missing";
discard;

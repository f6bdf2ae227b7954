# mail: plain list
require "vacation";
vacation "away";
discard;

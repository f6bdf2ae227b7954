# mail: plain list
require "vacation";
vacation :seconds 1800 "away";

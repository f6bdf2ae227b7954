# mail: plain list
require "vacation";
vacation :from "nobody" "away";

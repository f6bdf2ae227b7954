# mail: folded
require "vacation";
vacation "away";

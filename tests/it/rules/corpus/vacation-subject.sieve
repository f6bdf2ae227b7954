# mail: plain list
require "vacation";
vacation :subject "Away" "I am away";

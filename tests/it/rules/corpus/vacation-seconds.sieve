# mail: plain list
require "vacation-seconds";
vacation :seconds 1800 :subject "s" "away";

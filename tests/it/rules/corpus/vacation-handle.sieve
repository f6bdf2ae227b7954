# mail: plain list
require "vacation";
vacation :days 3 :handle "h" :subject "s" "text";

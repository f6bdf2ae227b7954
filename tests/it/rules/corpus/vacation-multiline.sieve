# mail: plain list
require "vacation";
vacation :subject "Away" text:
First line.
..dots

last line
.
;

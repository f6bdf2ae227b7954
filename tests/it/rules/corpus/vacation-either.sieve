# mail: plain list
require "vacation";
if exists "x-priority" { vacation :subject "a" "a"; } else { vacation :subject "b" "b"; }

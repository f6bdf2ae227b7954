# mail: plain list
require "date";
if date :originalzone "date" "std11" "Fri, 20 Nov 2026 04:31:38 +0100" { discard; }

# mail: plain list
require "reject";
if exists "list-id" { reject text:
first
..dotted
.
; }

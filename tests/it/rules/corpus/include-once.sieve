# mail: plain list
require ["include", "variables", "reject"];
global "n";
set "n" "";
include :once "counts";
include :once "counts";
reject "${n}";

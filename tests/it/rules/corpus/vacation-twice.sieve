# mail: plain list
require "vacation";
if true { vacation "a"; }
if true { vacation "b"; }

# mail: plain list
require "duplicate";
if duplicate { discard; }

# mail: plain list
require "envelope";
if envelope :all :contains "from" ["bill", "joe"] { discard; }

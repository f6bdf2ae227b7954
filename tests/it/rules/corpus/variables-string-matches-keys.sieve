# mail: plain list
require ["variables"];
if string :matches "abc" ["a*", "z*"] { discard; }

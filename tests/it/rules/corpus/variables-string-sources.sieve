# mail: plain list
require ["variables"];
if string :contains ["abc", "def"] "E" { discard; }

# mail: plain list
require ["ihave"];
if false { fly "away"; }
discard;

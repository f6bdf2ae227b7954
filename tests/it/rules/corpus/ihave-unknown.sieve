# mail: plain list
require ["ihave"];
if ihave "vnd.example.fly" { fly "away"; } else { discard; }

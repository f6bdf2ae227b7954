# mail: plain list
require ["ihave"];
if ihave "fileinto" { fileinto "Lists"; } else { discard; }

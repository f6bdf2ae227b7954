# mail: plain list
if header :is "subject" "\H\e\llo, World" { discard; }

# mail: plain list
require "envelope";
if envelope :domain :matches ["from", "to"] "*.org" { discard; }

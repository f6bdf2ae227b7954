# mail: plain list
require "enotify";
if valid_notify_method "carrier-pigeon:loft" { discard; }

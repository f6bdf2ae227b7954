# mail: plain list
require "enotify";
notify "carrier-pigeon:loft";

# mail: plain list
require "no-such-extension";

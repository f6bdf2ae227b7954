# mail: plain list
require "editheader";
deleteheader "X-Priority";
if exists "x-priority" { discard; }

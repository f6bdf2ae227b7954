# mail: plain list
require "editheader";
deleteheader "Received";
if exists "received" { discard; }

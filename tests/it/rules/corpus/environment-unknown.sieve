# mail: plain list
require "environment";
if environment :contains "vnd.example.none" "" { discard; }

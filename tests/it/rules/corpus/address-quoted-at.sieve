# mail: written
require "subaddress";
if allof(address :is :user "sender" "a@b", address :is :detail "sender" "c", address :is :domain "sender" "example.net") { discard; }

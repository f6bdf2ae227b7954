# mail: plain list
require "copy";
redirect :copy "a@example.com";

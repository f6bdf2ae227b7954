# mail: plain list
require "vacation";
vacation :addresses ["other+detail@example.com", "rust@lists.example.net"] "I am away";

# mail: multi
require ["foreverypart", "mime"];
foreverypart :name "outer" { foreverypart { break :name "outer"; } }
keep;

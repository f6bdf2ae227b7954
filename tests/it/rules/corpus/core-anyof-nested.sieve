# mail: plain list
if anyof (allof (true, false), not anyof (false, allof (exists "list-id", true))) { discard; }

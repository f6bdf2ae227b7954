redirect "r@example.com";

# mail: plain list
require "enotify";
notify :importance "1" :message "News" "mailto:a@example.com?cc=b@example.com";

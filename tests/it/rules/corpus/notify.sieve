# mail: plain auto
require "enotify";
notify :message "News" "mailto:a@example.com";

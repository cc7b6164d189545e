vcl 4.1;

# A shop whose pages are cached although it knows its visitors: pages that depend on nobody are kept once, pages that depend
# on the cookie bin `region` once for each region, and all others not at all. What a response depends on is what Breadbin
# says in `Vary` and `Cache-Control`; here is only said which cookies exist.

backend default {
  .host = "127.0.0.1";
  .port = "3001";
}

sub vcl_recv {
  # These two are ours.
  unset req.http.X-Region;
  unset req.http.X-Cookie;
  if (req.http.Cookie) {
    # Cookies of others (analytics, consent banners) change nothing about our pages. Ours begin with the prefix `bb`.
    set req.http.Cookie = ";" + req.http.Cookie;
    set req.http.Cookie = regsuball(req.http.Cookie, "; +", ";");
    set req.http.Cookie = regsuball(req.http.Cookie, ";((__Host-|__Secure-)?bb([.-][^=;]*)?)=", "; \1=");
    set req.http.Cookie = regsuball(req.http.Cookie, ";[^ ][^;]*", "");
    set req.http.Cookie = regsuball(req.http.Cookie, "^[; ]+|[; ]+$", "");
    if (req.http.Cookie ~ "^bb-region=1\.1\.[0-9a-z]+\.[0-9a-z]+\.'\{'json':'(en|de|fr)'\}$") {
      # Nothing but a region: the page is one of three. When it was chosen is in the cookie too, so it says too much.
      set req.http.X-Region = regsub(req.http.Cookie, "^.*:'(en|de|fr)'\}$", "\1");
      set req.http.X-Cookie = req.http.Cookie;
      unset req.http.Cookie;
    } elseif (req.http.Cookie == "") {
      unset req.http.Cookie;
    }
    # With any other cookie of ours, Varnish's own rules pass the request on.
  }
}

sub vcl_backend_fetch {
  # Whoever makes the page needs the cookie that it is made for.
  if (bereq.http.X-Cookie) {
    set bereq.http.Cookie = bereq.http.X-Cookie;
    unset bereq.http.X-Cookie;
  }
}

sub vcl_backend_response {
  # Pages that depend on cookies depend, here, on the region alone: with any other cookie they are not kept.
  if (beresp.http.Vary ~ "(?i)cookie") {
    set beresp.http.Vary = regsub(beresp.http.Vary, "(?i)cookie", "X-Region");
    # A cookie that the server does not believe must not choose where its page is kept.
    if (bereq.http.X-Region && bereq.http.X-Region != beresp.http.X-Region) {
      set beresp.uncacheable = true;
    }
  }
}

sub vcl_deliver {
  # Browsers know cookies, and no region.
  if (resp.http.Vary ~ "X-Region") {
    set resp.http.Vary = regsub(resp.http.Vary, "X-Region", "Cookie");
  }
}

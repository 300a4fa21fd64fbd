//! The proxy that the environment names, taken at its word: one that cannot be used is refused, never passed by.

use ureq::http::Uri;
use ureq::{Proxy, ProxyProtocol};

use super::url::is_loopback;
use crate::error::{Error, Result};

/// Which variables name the proxy for a scheme, the first that is set first: as curl has it, and `HTTP_PROXY` in capitals too.
fn variables(url: &Uri) -> [&'static str; 4] {
    match url.scheme_str() {
        Some("http") => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        _ => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
    }
}

/// The proxy for a request to `url`; none where it goes straight there, as to this machine and to what `NO_PROXY` names.
///
/// # Errors
/// `ModelUnavailable`, naming the variable, where the request should go through a proxy that there is no way through.
pub(super) fn choose(url: &Uri, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Option<Proxy>> {
    let set = |name| lookup(name).filter(|value| !value.trim().is_empty());
    let mut named = variables(url).into_iter().filter_map(|name| Some((name, set(name)?)));
    let Some((name, value)) = named.next() else { return Ok(None) };
    // A mirror on this machine is not behind the proxy, even if NO_PROXY forgets it.
    if is_loopback(url) || is_direct(url, &set("no_proxy").or_else(|| set("NO_PROXY")).unwrap_or_default()) {
        return Ok(None);
    }
    let refused = |what: &str| {
        Err(Error::ModelUnavailable(format!(
            "{name} {what}; name one that starts with http:// or https://, or let NO_PROXY name {}",
            url.host().unwrap_or("the hub")
        )))
    };
    match Proxy::new(value.trim()) {
        Ok(proxy) if matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) => Ok(Some(proxy)),
        // The address may hold a password.
        Ok(_) => refused("names a SOCKS proxy, which downloads cannot go through"),
        Err(_) => refused("is not the address of a proxy"),
    }
}

/// Is the host in the list? A name stands for itself and, with or without a dot before it, for what is below it.
fn is_direct(url: &Uri, list: &str) -> bool {
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    // The list is asked of a proxy that can be made; which one does not matter.
    let any = names.fold(Proxy::builder(ProxyProtocol::Http).host("any"), |proxy, name| {
        let bare = name.trim_start_matches('.');
        proxy.no_proxy(bare).no_proxy(&format!(".{bare}"))
    });
    any.build().is_ok_and(|proxy| proxy.is_no_proxy(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host and port of the proxy for a request to `url`, or why there is none.
    fn chosen(url: &str, variables: &[(&str, &str)]) -> std::result::Result<Option<String>, String> {
        let lookup = |name: &str| variables.iter().find(|(own, _)| *own == name).map(|(_, value)| value.to_string());
        match choose(&url.parse().unwrap(), &lookup) {
            Ok(proxy) => Ok(proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port()))),
            Err(Error::ModelUnavailable(message)) => Err(message),
            Err(other) => panic!("{other:?}"),
        }
    }

    const HUB: &str = "https://hub.example/a";

    #[test]
    fn proxies_that_work_are_taken() {
        for (variables, expected) in [
            (&[][..], None),
            (&[("HTTPS_PROXY", "http://me:secret@proxy:3128")], Some("proxy:3128")),
            (&[("https_proxy", " proxy:3128 ")], Some("proxy:3128")),
            (&[("ALL_PROXY", "https://proxy")], Some("proxy:443")),
            (&[("all_proxy", "http://proxy")], Some("proxy:80")),
            (&[("HTTPS_PROXY", "")], None),
        ] {
            assert_eq!(chosen(HUB, variables), Ok(expected.map(str::to_owned)), "{variables:?}");
        }
    }

    #[test]
    fn the_scheme_has_a_variable_of_its_own() {
        let all = [
            ("ALL_PROXY", "http://all:1"),
            ("all_proxy", "http://all:2"),
            ("HTTPS_PROXY", "http://secure:1"),
            ("https_proxy", "http://secure:2"),
            ("HTTP_PROXY", "http://open:1"),
            ("http_proxy", "http://open:2"),
        ];
        for (left, secure, open) in [
            (6, Some("secure:2"), Some("open:2")),
            (5, Some("secure:2"), Some("open:1")),
            (3, Some("secure:1"), Some("all:2")),
            (2, Some("all:2"), Some("all:2")),
            (1, Some("all:1"), Some("all:1")),
        ] {
            assert_eq!(chosen(HUB, &all[..left]), Ok(secure.map(str::to_owned)), "{left}");
            assert_eq!(chosen("http://hub.example", &all[..left]), Ok(open.map(str::to_owned)), "{left}");
        }
        assert_eq!(chosen(HUB, &all[4..]), Ok(None), "a proxy for the open web is none for what is encrypted");
    }

    #[test]
    fn a_proxy_that_is_not_the_chosen_one_may_be_unusable() {
        let variables = [("ALL_PROXY", "socks5://proxy:1080"), ("HTTPS_PROXY", "http://proxy:3128")];
        assert_eq!(chosen(HUB, &variables), Ok(Some("proxy:3128".into())));
        let message = chosen("http://hub.example", &variables).unwrap_err();
        assert!(message.contains("ALL_PROXY"), "{message}");
        let variables = [("HTTPS_PROXY", "socks5://proxy:1080"), ("ALL_PROXY", "http://proxy:3128")];
        let message = chosen(HUB, &variables).unwrap_err();
        assert!(message.contains("HTTPS_PROXY"), "{message}");
    }

    #[test]
    fn proxies_that_cannot_be_used_are_refused_by_name() {
        for variable in variables(&HUB.parse().unwrap()) {
            for address in ["socks5://me:secret@proxy:1080", "socks5h://proxy", "socks4://proxy", "socks://proxy"] {
                let message = chosen(HUB, &[(variable, address)]).unwrap_err();
                assert!(message.contains(variable) && message.contains("SOCKS"), "{message}");
                assert!(!message.contains("secret"), "{message}");
            }
            for address in ["ftp://proxy", "http://", "://"] {
                assert!(chosen(HUB, &[(variable, address)]).unwrap_err().contains("not the address"), "{address}");
            }
        }
    }

    #[test]
    fn a_hub_that_needs_no_proxy_needs_no_proxy_that_works() {
        for list in ["hub.example", "*", ".example", "example", "*.example", ".hub.example", "elsewhere, HUB.example"] {
            for variable in ["NO_PROXY", "no_proxy"] {
                assert_eq!(chosen(HUB, &[("ALL_PROXY", "socks5://proxy"), (variable, list)]), Ok(None), "{list}");
            }
        }
        for list in ["other.example", "b.example", "hub", " , ,.", "hub.example.org"] {
            assert!(chosen(HUB, &[("ALL_PROXY", "socks5://proxy"), ("NO_PROXY", list)]).is_err(), "{list}");
        }
        for here in ["http://localhost:8080", "http://127.0.0.1", "https://[::1]:8443/hub"] {
            assert_eq!(chosen(here, &[("ALL_PROXY", "socks5://proxy")]), Ok(None), "{here}");
        }
    }
}

//! How the program's memory is managed.

/// Pools of memory at the most.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const POOLS: i32 = 2;

/// Lets the threads of this process share pools of memory. glibc gives each thread one of its own, which keeps what its
/// largest call once needed: a dozen threads that each serve a large call now and then hold a dozen times as much.
pub fn share_pools() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: called first thing, while there is one thread; a value that glibc does not know leaves all as it was.
        #[expect(unsafe_code, reason = "see the safety comment; there is no safe call for it")]
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, POOLS);
        }
    }
}

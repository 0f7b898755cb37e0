//! The names of what can be asked for. Each is the name of one function that answers.

macro_rules! operations {
    ($(#[$about:meta])* $name:ident: $($variant:ident)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the route of each says what it does")]
        pub enum $name { $($variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant,)*];
        }
    };
}

operations! {
    /// What the platform answers.
    PlatformOperation:
    Health Openapi
    ListPlugins UploadPackage ShowPlugin ShowReceipt InstallPlugin EnablePlugin DisablePlugin UninstallPlugin
    PurgePlugin RollBackPlugin ListUpgrades InsertDemoRows PluginHealth ShowSettings ChangeSettings ChangeSecrets
    RegistryKey ListRevocations Revoke RotateKey
    ListEntities ListPages ShowPage PluginFile
    ListUsers ShowMe ShowUser ListDepartments ListRoles
    ListRows CreateRow CountRows Aggregate Timeseries ResolveLabels ExportRows ImportRows PreviewRow
    AvailableActions ShowRow ReplaceRow UpdateRow DeleteRow RowHistory InvokeAction
    ListNodes ShowNode ExecuteNode SupplyNode NodeOptions RunProcessor ValidateProcessorInput
    ListTables Counters Denials ListTenants ChangeConfig ListEvents SendEvent RedeliverEvent ListBaseEvents
    ListFaults AddFault ClearFaults ShowClock ChangeClock ShowLimits ChangeLimits ShowQuirks ChangeQuirks
    InspectRows InspectHistory QuerySql ListExports InvokeExport
}

operations! {
    /// What the dev host around the platform answers itself.
    HostOperation:
    Stream ListCalls ShowCall ReplayCall ListWriters MakeScenario ShowSource ListTokens ChangeUser OpenFrame
    ListProjects BuildProject AcceptLoss ActivateGeneration SetCanary TestProject
}

/// What answers a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// The platform.
    Platform(PlatformOperation),
    /// The dev host around it.
    DevHost(HostOperation),
}

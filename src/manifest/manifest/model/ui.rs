//! Pages, buttons and labels.

use super::super::{EntityName, FieldName, PermissionCode};
use crate::diagnostics::Spanned;
use crate::document::{FromToml, Node, Reader, table, words};
use crate::expression::Expression;

table! {
    /// Pages and actions.
    pub struct UserInterface {
        /// The pages, in the order of the menu.
        pages: Vec<Page>,
        /// Buttons that call the plugin.
        actions: Vec<Action>,
    }
}

words! {
    /// A way to look at the rows of a `crud` page.
    pub enum PageView {
        /// Rows and columns.
        Table = "table",
        /// Cards in lanes.
        Kanban = "kanban",
        /// Days of a month.
        Calendar = "calendar",
        /// Bars on a line of time.
        Gantt = "gantt",
        /// Cards with pictures.
        Gallery = "gallery",
        /// What happened, in its order.
        Timeline = "timeline",
    }
}

words! {
    /// What a page shows.
    pub enum PageType {
        /// A list of rows with a form.
        Crud = "crud",
        /// Rows under their parents.
        Tree = "tree",
        /// One row, in sections.
        Detail = "detail",
        /// Several pages behind tabs.
        Tabs = "tabs",
        /// Rows as cards in the lanes of a `select`.
        Kanban = "kanban",
        /// Figures and charts.
        Dashboard = "dashboard",
        /// Rows as edges between other rows.
        Graph = "graph",
        /// A file of the plugin, in a sandboxed frame.
        Custom = "custom",
    }
}

table! {
    /// A page.
    pub struct Page {
        /// What it shows.
        r#type: Spanned<PageType>,
        /// Its name in URLs and tests; the entity's name if it is absent.
        name: Option<Spanned<String>>,
        /// The name that people read.
        label: String,
        /// The entity whose rows it shows.
        entity: Option<Spanned<EntityName>>,
        /// The name of an icon.
        icon: Option<String>,
        /// The group of the menu that it stands in.
        menu_group: Option<String>,
        /// Its place in the group; pages of the same place stand as they do here.
        order: u32 = 0,
        /// True where no menu shows it.
        hidden: bool = false,
        /// The permission that a user needs; `entity.list` for a `crud` page if it is absent.
        permission: Option<Spanned<PermissionCode>>,
        /// True where it has a search box.
        enable_search: Option<Spanned<bool>>,
        /// The columns of the list; all fields where it is empty.
        columns: Vec<Spanned<FieldName>>,
        /// The fields that the list can be filtered by.
        filters: Vec<Spanned<FieldName>>,
        /// Views of a `crud` page beside the table, which the platform offers; the console shows the table.
        enable_views: Vec<PageView>,
        /// The `ref` field of a `tree` page that names a row's parent.
        parent_field: Option<Spanned<FieldName>>,
        /// The field whose value names a node of a `tree`, or an edge of a `graph`.
        label_field: Option<Spanned<FieldName>>,
        /// The `select` field whose options are the lanes of a `kanban` page.
        lane_field: Option<Spanned<FieldName>>,
        /// The field that heads a card.
        card_title_field: Option<Spanned<FieldName>>,
        /// Further fields of a card.
        card_fields: Vec<Spanned<FieldName>>,
        /// The `ref` field of a `graph` page where an edge begins.
        source_field: Option<Spanned<FieldName>>,
        /// The `ref` field of a `graph` page where an edge ends.
        target_field: Option<Spanned<FieldName>>,
        /// The sections of a `detail` page.
        sections: Vec<Section>,
        /// The figures of a `dashboard` page.
        widgets: Vec<DashboardWidget>,
        /// The pages of a `tabs` page.
        pages: Vec<TabPage>,
        /// The file of a `custom` page, relative to the manifest.
        file: Option<Spanned<String>>,
    }
}

/// A page behind a tab. It is written like any other page, but may not have tabs of its own.
#[derive(Debug, Clone)]
pub struct TabPage(pub Page);

impl FromToml for TabPage {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<TabPage> {
        Page::from_toml(node, reader).map(TabPage)
    }

    fn json_schema() -> serde_json::Value {
        // Refers to the complete schema of a page.
        serde_json::json!({ "$ref": "#/properties/ui/properties/pages/items" })
    }
}

words! {
    /// What a section of a detail page shows.
    pub enum SectionType {
        /// Fields of the row.
        Fields = "fields",
        /// Rows of another entity that name the row.
        Crud = "crud",
    }
}

table! {
    /// A part of a detail page.
    pub struct Section {
        /// What it shows.
        r#type: Spanned<SectionType>,
        /// The name that people read.
        label: String,
        /// The fields of a `fields` section.
        fields: Vec<Spanned<FieldName>>,
        /// The entity of a `crud` section.
        entity: Option<Spanned<EntityName>>,
        /// The `ref` field of that entity that names the row.
        filter_field: Option<Spanned<FieldName>>,
    }
}

words! {
    /// How a figure is shown.
    pub enum WidgetType {
        /// One number.
        Stat = "stat",
        /// Bars.
        Bar = "bar",
        /// A line over time.
        Line = "line",
        /// Shares of a whole.
        Pie = "pie",
        /// Stages that narrow.
        Funnel = "funnel",
        /// Rows.
        Table = "table",
    }
}

words! {
    /// What is computed over the rows of a group.
    pub enum AggregateFunction {
        /// How many there are.
        Count = "count",
        /// Their sum.
        Sum = "sum",
        /// Their mean.
        Avg = "avg",
        /// The least.
        Min = "min",
        /// The greatest.
        Max = "max",
    }
}

table! {
    /// A figure of a dashboard.
    pub struct DashboardWidget {
        /// How it is shown.
        r#type: Spanned<WidgetType>,
        /// The name that people read.
        label: String,
        /// The entity whose rows are counted.
        entity: Spanned<EntityName>,
        /// What is computed.
        func: AggregateFunction = AggregateFunction::Count,
        /// The field that is computed over; none for `count`.
        field: Option<Spanned<FieldName>>,
        /// The field whose values make the groups.
        group_by: Option<Spanned<FieldName>>,
        /// The date or date-time field of a `line`.
        time_field: Option<Spanned<FieldName>>,
    }
}

table! {
    /// A button that calls the plugin's `actions` export.
    pub struct Action {
        /// The name that the plugin is called with.
        name: Spanned<FieldName>,
        /// The name that people read.
        label: String,
        /// The entity of the row that it acts on.
        entity: Spanned<EntityName>,
        /// The permission that a user needs.
        permission: Spanned<PermissionCode>,
        /// A condition over the row; where it does not hold, the button is not there and the call is refused.
        when: Option<Expression>,
    }
}

table! {
    /// Labels in several languages. The manifest's own texts are those of the first one.
    pub struct I18n {
        /// The language of the texts in the manifest.
        default_locale: String = "zh-CN".to_owned(),
        /// Further languages; each has a file `<locale>.toml` in `dir`.
        locales: Vec<Spanned<String>>,
        /// The folder of those files, relative to the manifest.
        dir: String = "i18n".to_owned(),
    }
}

impl Page {
    /// The page's name in URLs and tests: its `name`, or else its entity, or else its label.
    pub fn route(&self) -> &str {
        match (&self.name, &self.entity) {
            (Some(name), _) => name,
            (None, Some(entity)) => entity.as_str(),
            (None, None) => self.label.as_str(),
        }
    }
}

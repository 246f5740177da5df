// Package argocd runs Lua scripts as Argo CD runs those of its ConfigMap (util/lua of github.com/argoproj/argo-cd): gopher-lua with
// the libraries package, base and table, and os only by require, with few functions. The clock is fixed.
package argocd

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

// limit is how long Argo CD lets a script run.
const limit = time.Second

// now is what os.date says, in the format that a script asks for.
var now = time.Date(2026, 11, 25, 10, 0, 7, 0, time.UTC)

// run gives a script the object as the global obj and returns what it returns, as JSON.
func run(script string, object map[string]any) ([]byte, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
	} {
		call := lua.P{Fn: state.NewFunction(open), Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			return nil, fmt.Errorf("open library %s: %w", name, err)
		}
	}
	state.PreloadModule(lua.OsLibName, func(state *lua.LState) int {
		state.Push(state.SetFuncs(state.NewTable(), map[string]lua.LGFunction{"date": date}))
		return 1
	})
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	returned := state.Get(-1)
	if returned.Type() != lua.LTTable {
		return nil, fmt.Errorf("the script returns a %s, Argo CD wants a table", returned.Type())
	}
	return luajson.Encode(returned)
}

// date knows the one format that the scripts use.
func date(state *lua.LState) int {
	if format := state.CheckString(1); format != "!%Y%m%d%H%M%S" {
		state.RaiseError("the tests know no format %s", format)
	}
	state.Push(lua.LString(now.Format("20060102150405")))
	return 1
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.CreateTable(len(value), 0)
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, item := range value {
			table.RawSetH(lua.LString(key), toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

// health is what a script says about an object.
type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func healthOf(script string, object map[string]any) (health, error) {
	var said health
	text, err := run(script, object)
	if err != nil {
		return said, err
	}
	return said, json.Unmarshal(text, &said)
}

// action is an entry of what a discovery script returns.
type action struct {
	Disabled    bool   `json:"disabled"`
	DisplayName string `json:"displayName"`
	IconClass   string `json:"iconClass"`
}

func discover(script string, object map[string]any) (map[string]action, error) {
	found := map[string]action{}
	text, err := run(script, object)
	if err != nil {
		return nil, err
	}
	return found, json.Unmarshal(text, &found)
}

// impact is one write that an action asks for.
type impact struct {
	Operation string         `json:"operation"`
	Resource  map[string]any `json:"resource"`
}

// act runs an action. A script that returns one object asks for a patch of it; one that returns a list says what each entry is.
func act(script string, object map[string]any) ([]impact, error) {
	text, err := run(script, object)
	if err != nil {
		return nil, err
	}
	if text[0] == '[' {
		var impacts []impact
		return impacts, json.Unmarshal(text, &impacts)
	}
	var changed map[string]any
	if err := json.Unmarshal(text, &changed); err != nil {
		return nil, err
	}
	return []impact{{Operation: "patch", Resource: mended(changed, object).(map[string]any)}}, nil
}

// mended turns empty lists back into the empty objects that they were: Lua knows no difference, and Argo CD mends it so.
func mended(after, before any) any {
	switch after := after.(type) {
	case map[string]any:
		if before, ok := before.(map[string]any); ok {
			for key := range after {
				after[key] = mended(after[key], before[key])
			}
		}
	case []any:
		switch before := before.(type) {
		case map[string]any:
			if len(after) == 0 {
				return before
			}
		case []any:
			for index := range after {
				if index < len(before) {
					after[index] = mended(after[index], before[index])
				}
			}
		}
	}
	return after
}
